"""What the rules say: from YAML text to states of rule instances.

source -> nodes -> schema -> spec -> expression -> (evaluators) -> lifecycle -> evaluate.
"""
