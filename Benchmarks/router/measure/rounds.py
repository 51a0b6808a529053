"""Rounds that alternate between the proxies, and what comes out of them."""
import statistics
import time


class Result:
    """One figure of one proxy: a value per round. Lower is better."""

    def __init__(self, row, label, unit, values, bounds=None, **notes):
        self.row, self.label, self.unit, self.values = row, label, unit, values
        self.bounds = bounds or {}  # what paas may cost: {peer: factor}, or {"": absolute}
        self.notes = notes

    @property
    def median(self):
        return statistics.median(self.values)

    def as_json(self):
        return {"row": self.row, "proxy": self.label, "unit": self.unit, "median": self.median, "min": min(self.values),
                "max": max(self.values), "values": self.values, "bounds": self.bounds, **self.notes}


def interleaved(bench, sides, run, warm=True):
    """`run(side)` → Outcome, round after round, the first of them changing; per label: µs of CPU and what else there
    is to say. A round with errors is counted and said."""
    kept = ("cpu", "rate", "busy", "p99", "upstream", "requests")
    figures = {side.label: {"errors": 0, **{name: [] for name in kept}} for side in sides}
    if warm:
        for side in sides:
            bench.warming = True
            run(side)
        bench.warming = False
    for number in range(bench.rounds):
        turn = number % len(sides)
        for side in sides[turn:] + sides[:turn]:
            opened, before, start = side.backend.stats()["connections"], side.cpu(), time.monotonic()
            outcome = run(side)
            spent, wall = side.cpu() - before, time.monotonic() - start
            opened = side.backend.stats()["connections"] - opened - 1
            mine = figures[side.label]
            if not outcome.requests:
                raise RuntimeError(f"{side.label}: no request was completed")
            mine["cpu"].append(round(spent / 1000 / outcome.requests, 2))
            mine["rate"].append(round(outcome.requests / outcome.seconds))
            mine["busy"].append(round(spent / 1e9 / wall, 2))
            mine["upstream"].append(round(opened / outcome.requests, 4))
            mine["errors"] += outcome.errors
            mine["requests"].append(outcome.requests)
            if "p99" in outcome.latency:
                mine["p99"].append(outcome.latency["p99"])
            bench.say(f"  round {number + 1}, {side.label}: {mine['cpu'][-1]} µs, {mine['rate'][-1]}/s, "
                      f"busy {mine['busy'][-1]}, new upstream connections per request {mine['upstream'][-1]}"
                      + (f", {outcome.errors} ERRORS" if outcome.errors else ""))
    return figures


def cpu_results(row, figures, bounds):
    results = []
    for label, mine in figures.items():
        notes = {key: statistics.median(mine[key]) for key in ("rate", "busy", "upstream", "p99") if mine[key]}
        results.append(Result(row, label, "µs", mine["cpu"], bounds, errors=mine["errors"], **notes))
    return results
