"""The tables of compare.py, as Markdown."""

SIZES = [4096, 21504, 1 << 20, 1 << 24]
OPS = ["xielu", "relu2", "silu", "swiglu"]
KINDS = {
    "mlp": "MLP with xIELU",
    "product": "Both products of the MLP (ours with ReLU² between them)",
}


def table(head, rows):
    if rows:
        lines = [head, ["---"] * len(head), *rows]
        print("\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n")


def columns(rows):
    """The contestants of some rows, in the order they were given."""
    return list(dict.fromkeys(name for row in rows for name in row if name not in ("copy", "read")))


def print_elementwise(rows, threads):
    keys = [f"elementwise/{op}/{n}/{threads}" for op in OPS for n in SIZES]
    keys = [key for key in keys if key in rows]
    names = columns(rows[key] for key in keys)
    out = []
    for key in keys:
        _, op, n, _ = key.split("/")
        cell, copy = rows[key], rows[key]["copy"]["ns"]
        values = [f"{cell[c]['ns']:.3f} ({cell[c]['ns'] / copy:.1f}x)" if c in cell else "-"
                  for c in names]
        out.append([op, n, f"{copy:.3f}", *values])
    if out:
        print(f"f32, {threads} thread(s): ns per element (times a copy of the same buffers)\n")
    table(["", "elements", "copy", *names], out)


def ratio(cell, ours, theirs):
    """The best rate of contestants whose names start with `ours` over that of `theirs`."""
    mine = [rate for name, rate in cell.items() if name.startswith(ours)]
    peers = [rate for name, rate in cell.items()
             if name.startswith(theirs) and not name.startswith("xielu")]
    return f"{max(mine) / max(peers):.2f}" if mine and peers else "-"


def print_rates(rows, kind, title, n, threads):
    unit, digits = ("gb_s", 1) if n == 1 else ("gflop_s", 0)
    keys = [key for key in rows if key.startswith(f"{kind}/")
            and key.split("/")[2:] == [str(n), str(threads)]]
    names = columns(rows[key] for key in keys)
    out = []
    for key in keys:
        cell = {name: found[unit] for name, found in rows[key].items()}
        values = [f"{cell[c]:.{digits}f}" if c in cell else "-" for c in names]
        out.append([key.split("/")[1].upper(), *values, ratio(cell, "xielu", ""),
                    ratio(cell, "xielu avx2", "ggml avx2")])
    if out:
        what = "GB/s of weights" if unit == "gb_s" else "GFLOP/s"
        read = rows.get(f"read/one-token/{threads}", {}).get("read") if unit == "gb_s" else None
        beside = (f"; read bandwidth {read['best']:.1f} (one stream {read['one_stream']:.1f})"
                  if read else "")
        print(f"{title}, n = {n}, {threads} thread(s): {what}{beside}\n")
    table(["", *names, "ours / best peer", "with AVX2, ours / ggml"], out)


def print_time(rows, threads):
    keys = [key for key in rows if key.startswith("mlp/") and key.endswith(f"/{threads}")]
    names = columns(rows[key] for key in keys)
    out = []
    for key in keys:
        _, dtype, n, _ = key.split("/")

        def shown(name):
            if name not in rows[key]:
                return "-"
            found = rows[key][name]
            share = found.get("activation_ms")
            return f"{found['ms']:.2f}" + (f" ({100 * share / found['ms']:.1f}%)" if share else "")

        out.append([dtype.upper(), n, *map(shown, names)])
    if out:
        print(f"MLP, {threads} thread(s): ms (share of the activation run alone)\n")
    table(["", "n", *names], out)


def print_error(rows):
    keys = [key for key in rows if key.startswith("error/")]
    names = columns(rows[key] for key in keys)
    out = [[key.split("/")[1].upper(),
            *(f"{rows[key][c]['relative_error']:.2e}" if c in rows[key] else "-" for c in names)]
           for key in keys]
    if out:
        print("MLP: error against f64 on the same stored weights, relative to the output's norm\n")
    table(["", *names], out)


def pairs(names):
    """Instruction sets of ours, each with the builds of llama.cpp that have no more."""
    builds = [name for name in names if name.startswith("llama.cpp")]
    limited = [name for name in builds if name.endswith("avx2")]
    more = [name for name in builds if name not in limited]
    for name in names:
        if name.startswith("xielu"):
            yield name, limited if name.endswith("avx2") and limited else more


def test_order(test):
    """Prompts first, then generation by depth."""
    return [test.startswith("tg"), *map(int, test[2:].split("@")[::-1])]


def test_title(test):
    if test.startswith("pp"):
        return f"prompt {test[2:]}"
    generated, depth = test[2:].split("@")
    return f"generation {generated}" + ("" if depth == "0" else f" @ {depth}")


def print_end_to_end(rows):
    found = {}
    for key in (key for key in rows if key.startswith("end-to-end/")):
        _, shape, dtype, threads, _ = key.split("/")
        of_type = found.setdefault((shape, int(threads)), {}).setdefault(dtype, {})
        for name, rates in rows[key].items():
            merged = of_type.setdefault(name, {})
            peak = max(merged.get("resident_mb", 0), rates["resident_mb"])
            merged.update(rates | {"resident_mb": peak})
    for (shape, threads), types in found.items():
        for ours, builds in pairs(columns(types.values())):
            tests = columns(cell.get(ours, {}) for cell in types.values())
            tests = sorted((test for test in tests if test[:2] in ("pp", "tg")), key=test_order)
            out, ratios = [], []
            for dtype, cell in types.items():
                line = [dtype.upper()]
                for test in tests:
                    rate = cell.get(ours, {}).get(test)
                    theirs = [cell[name][test] for name in builds if test in cell.get(name, {})]
                    if rate and theirs:
                        ratios.append(rate / max(theirs))
                        line.append(f"{rate:.1f} / {max(theirs):.1f} = **{ratios[-1]:.2f}**")
                    else:
                        line.append(f"{rate:.1f}" if rate else "-")
                out.append(line)
            beside = f" / {' or '.join(builds)}" if builds else ""
            least = f", least ratio {min(ratios):.2f}" if ratios else ""
            print(f"{shape}, {threads} thread(s), {ours}{beside}: tokens/s{least}\n")
            table(["", *map(test_title, tests)], out)
        names = columns(types.values())
        out = [[dtype.upper(), f"{next(iter(cell.values()))['file_mb']:.0f}",
                *(f"{cell[name]['resident_mb']:.0f}" if name in cell else "-" for name in names)]
               for dtype, cell in types.items()]
        print(f"{shape}, {threads} thread(s): MB resident at most\n")
        table(["", "file", *names], out)


def print_all(rows):
    for threads in sorted({int(key.split("/")[-1]) for key in rows
                           if key.startswith(("elementwise/", "mlp/", "product/"))}):
        print_elementwise(rows, threads)
        for kind, title in KINDS.items():
            for n in sorted({int(key.split("/")[2]) for key in rows if key.startswith(f"{kind}/")}):
                print_rates(rows, kind, title, n, threads)
        print_time(rows, threads)
    print_error(rows)
    print_end_to_end(rows)
