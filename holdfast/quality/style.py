"""How a report looks: on a bright or dark screen, and on paper. Colours have a contrast of 4.5 to 1 at least (WCAG 2.2, 1.4.3)."""

STYLE = """
:root{color-scheme:light dark;--paper:#fff;--raised:#f6f5f2;--ink:#1d1d1f;--muted:#63636b;--grid:#e3e1dc;--error:#b3261e;
--warning:#9a5b00;--note:#2f6f4f;--accent:#2257a8;--heat-of:#2257a81f;--font:system-ui,"Segoe UI",Roboto,"Noto Sans",sans-serif}
@media (prefers-color-scheme:dark){:root{--paper:#17181b;--raised:#212328;--ink:#ececf0;--muted:#a5a7b0;--grid:#383b42;
--error:#ff8a80;--warning:#f2b15c;--note:#7fcba2;--accent:#8ab4f8;--heat-of:#8ab4f833}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 var(--font)}
main{max-width:78rem;margin:0 auto;padding:1.5rem}
h1{font-size:2rem;line-height:1.2;margin:.1rem 0 .6rem}h1 span{color:var(--muted);font-weight:400;white-space:nowrap}
h2{font-size:1.4rem;margin:2.6rem 0 .6rem;padding-top:.6rem;border-top:2px solid var(--grid)}
h3{font-size:1.05rem;margin:1.6rem 0 .2rem}
p{margin:.4rem 0;max-width:52rem}.over{color:var(--muted);margin:0}
a{color:var(--accent);text-underline-offset:.22em}nav a{display:inline-block;margin-right:1rem}
code{font-family:ui-monospace,"SF Mono",Consolas,"Liberation Mono",monospace;font-size:.9em}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(10.5rem,1fr));gap:.8rem;margin:1.4rem 0}
.card{background:var(--raised);border-radius:.6rem;padding:.8rem 1rem;border-left:.3rem solid var(--grid)}
.card.error{border-color:var(--error)}.card.warning{border-color:var(--warning)}.card.note{border-color:var(--note)}
.card dt{color:var(--muted);font-size:.9rem}.card dd{margin:0}.card b{display:block;font-size:1.7rem;line-height:1.3}
.card span{display:block;font-size:.85rem}.card .was{color:var(--muted)}
.first li{margin:.35rem 0;max-width:60rem}
figure{margin:1rem 0;break-inside:avoid}figcaption{color:var(--muted);font-size:.9rem}
figure{overflow-x:auto}svg{display:block;width:100%;min-width:34rem;max-width:60rem;height:auto}
.wide{overflow-x:auto}
table{border-collapse:collapse;margin:.8rem 0 1.2rem;font-size:.9rem;width:100%}
caption{text-align:left;color:var(--muted);padding:.2rem 0}
th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid var(--grid)}
thead th{border-bottom:2px solid var(--muted);vertical-align:bottom}tbody th{font-weight:400}.day{white-space:nowrap}
.number{text-align:right;font-variant-numeric:tabular-nums}td.number{white-space:nowrap}td ul{margin:0;padding-left:1rem}
.heat{background:linear-gradient(to right,var(--heat-of) var(--heat),transparent var(--heat))}
.value code{white-space:pre-wrap;overflow-wrap:anywhere}.words{overflow-wrap:anywhere;min-width:10rem}
.badge{display:inline-block;border:1px solid currentColor;border-radius:.8rem;padding:0 .55rem;font-size:.8rem;white-space:nowrap}
.badge.error{color:var(--error)}.badge.warning{color:var(--warning)}.badge.note{color:var(--note)}
.kinds{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;font-size:.9rem}.kinds dt{font-weight:600}.kinds dd{margin:0}
small{color:var(--muted)}footer{margin-top:3rem;border-top:2px solid var(--grid);color:var(--muted);font-size:.85rem}
@media print{:root{--paper:#fff;--raised:#fff;--ink:#000;--muted:#444;--grid:#bbb;--error:#8c1d18;--warning:#7a4700;--note:#1f5038;
--accent:#1b468a;--heat-of:#1b468a26;color-scheme:light}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}body{font-size:10pt}main{max-width:none;padding:0}nav{display:none}
.wide{overflow:visible}tr,.card,h2,h3,article>p{break-inside:avoid}h2,h3{break-after:avoid}thead{display:table-header-group}
table{font-size:7.5pt}th,td{padding:.15rem .25rem;overflow-wrap:anywhere}.words{min-width:0}svg{min-width:0}.cards{grid-template-columns:repeat(6,1fr);gap:.3rem}.card{padding:.3rem .5rem}.card b{font-size:1.2rem}a{color:inherit;text-decoration:none}@page{margin:15mm}}
"""
