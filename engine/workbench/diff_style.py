"""How the page of a comparison looks: light and dark, wide and narrow, on paper."""

STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#59636e;--paper:#fff;--card:#f6f8fa;--line:#d1d9e0;
--bad:#cf222e;--good:#1a7f37;--odd:#8250df;--paused:#d4a72c;--reduce:#e16f24;--halted:#cf222e;--other:#5a8dd6;
--link:#0969da}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--paper:#0d1117;--card:#161b22;--line:#30363d;
--bad:#ff7b72;--good:#3fb950;--odd:#bc8cff;--paused:#d29922;--reduce:#f0883e;--halted:#f85149;--other:#6ea8fe;
--link:#4493f8}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1180px;padding:24px 20px 80px;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:22px;line-height:1.3;margin:0 0 4px}h2{font-size:18px;margin:36px 0 8px}h3{font-size:15px;
margin:20px 0 6px}
a{color:var(--link)}code,pre,td.n,.axis{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
code{font-size:.9em;overflow-wrap:anywhere}td code{overflow-wrap:break-word}
pre{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:10px 12px;overflow-x:auto;
font-size:13px}
.verdict{border:1px solid var(--line);border-left:6px solid var(--good);border-radius:6px;padding:14px 18px;
background:var(--card);margin:18px 0}.verdict.fails{border-left-color:var(--bad)}
.verdict.answered{border-left-color:var(--paused)}
.verdict p{margin:6px 0}.soft{color:var(--soft)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 14px;margin:10px 0}dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;margin:8px 0;font-size:14px}
th{text-align:left;color:var(--soft);font-weight:600;border-bottom:2px solid var(--line);padding:4px 8px}
td{border-bottom:1px solid var(--line);padding:4px 8px;vertical-align:top}td.n{font-size:13px}
.scroll{overflow-x:auto}
.tag{display:inline-block;border-radius:10px;padding:0 9px;font-size:12.5px;border:1px solid currentColor;
white-space:nowrap}
.looser{color:var(--bad)}.stricter{color:var(--good)}.incomparable,.both{color:var(--odd)}
.same,.not{color:var(--soft)}.neutral{color:var(--soft)}
section.rule{border:1px solid var(--line);border-radius:8px;padding:4px 18px 14px;margin:18px 0}
section.rule>h2{margin:12px 0 2px}
summary{cursor:pointer;color:var(--link)}details{margin:8px 0}
.chart{margin:10px 0 18px}.chart figcaption{color:var(--soft);font-size:13px;margin:0 0 3px 64px}
.row{display:flex;align-items:center;margin:2px 0}.row>b{flex:0 0 64px;font-weight:500;font-size:12.5px;
color:var(--soft)}
.lane{position:relative;flex:1;height:18px;background:var(--card);border:1px solid var(--line);
border-radius:3px;overflow:hidden}
.lane.change{height:10px;border:0;background:none}
.lane i{position:absolute;top:0;bottom:0;min-width:2px}
.lane .entries_paused{background:var(--paused)}.lane .reduce_only{background:var(--reduce)}
.lane .halted{background:var(--halted)}.lane .other{background:var(--other)}
.lane .held{background-image:repeating-linear-gradient(45deg,transparent 0 4px,#0004 4px 8px)}
.lane .latched{opacity:.6}.lane .cooldown{opacity:.45}
.lane .shadow{opacity:.25;outline:1px dashed var(--ink);outline-offset:-1px}
.lane .episode{top:auto;height:4px;background:var(--ink)}
.lane.change .looser{background:var(--bad)}.lane.change .stricter{background:var(--good)}
.lane.change .incomparable{background:var(--odd)}
.axis{position:relative;flex:1;height:16px;font-size:11px;color:var(--soft)}
.axis span{position:absolute;padding-left:3px;border-left:1px solid var(--line);white-space:nowrap;height:16px}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;font-size:13px;color:var(--soft);margin:6px 0}
.legend .lane{display:inline-block;flex:none;width:26px;height:12px;vertical-align:-2px;margin-right:5px}
.legend .lane i{left:0;right:0}.legend .lane.change{height:10px}
.bar{display:inline-block;width:120px;height:8px;border-radius:4px;background:var(--line);margin-right:8px;
overflow:hidden}
.bar i{display:block;height:8px;background:var(--good)}.bar.low i{background:var(--bad)}
pre .add{color:var(--good)}pre .del{color:var(--bad)}
@media(max-width:640px){.axis span:nth-child(even){visibility:hidden}
.row>b{flex-basis:46px}.chart figcaption{margin-left:46px}dl{grid-template-columns:1fr}}
@media print{body{max-width:none}details{display:block}section.rule{break-inside:avoid}
.lane i{print-color-adjust:exact}}
"""
