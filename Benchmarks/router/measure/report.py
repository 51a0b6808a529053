"""The table that is printed."""


def figure(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def text(result):
    spread = f"{figure(result.median)} {result.unit}"
    if len(result.values) > 1:
        spread += f" ({figure(min(result.values))} – {figure(max(result.values))})"
    notes = []
    if result.notes.get("rate"):
        notes.append(f"{result.notes['rate']:,.0f}/s")
    if result.notes.get("upstream", 0) >= 0.05:
        notes.append(f"{result.notes['upstream']:.2f} new upstream connections per request")
    if result.notes.get("errors"):
        notes.append(f"**{result.notes['errors']} errors**")
    return spread + (f"; {', '.join(notes)}" if notes else "")


def verdict(mine, others):
    """What was asked of paas and what came out, per peer."""
    words = []
    for peer, bound in mine.bounds.items():
        if not peer:
            words.append(f"≤ {bound} {mine.unit}: {'yes' if mine.median <= bound else '**no**'}")
        elif peer in others and peer != mine.label and others[peer].median:
            factor = mine.median / others[peer].median
            words.append(f"≤ {bound} × {peer}: {'yes' if factor <= bound else '**no**'}, {factor:.2f} ×")
    return "; ".join(words)


def is_ours(label):
    return label.startswith("paas") or label not in ("nginx", "nginx-default", "haproxy", "caddy", "traefik")


def show(about, results, failed):
    print(f"{about['date']}, {about['machine']}; load average {about['load'][0]:.1f}; `{about['command']}`; "
          + "; ".join(about["versions"].values()))
    print()
    for row in dict.fromkeys(result.row for result in results):
        group = {result.label: result for result in results if result.row == row}
        print(f"| {row} | median (fastest – slowest round) | asked of paas |\n|---|---|---|")
        for label, result in group.items():
            print(f"| {label} | {text(result)} | {verdict(result, group) if is_ours(label) else ''} |")
        print()
    for name, note in about["notes"].items():
        print(f"- {name}: {note}")
    for words in failed:
        print(f"- failed: {words}")
