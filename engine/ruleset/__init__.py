"""What the rules say: from YAML text to states of rule instances.

source -> nodes -> schema -> spec -> expression -> (evaluators) -> lifecycle -> evaluate.

As a library: `Rules.load` texts, `feed` samples, ask for `restraints` and `explain`; see `library`.
"""

from engine.ruleset.library import Rules, RulesError

__all__ = ["Rules", "RulesError"]
