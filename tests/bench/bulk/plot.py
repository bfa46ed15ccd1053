"""A bar chart of rows per second as SVG, on a logarithmic scale, written by hand: no library is needed for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from tests.bench.bulk.lines import Result

WIDTH, LABEL_WIDTH, VALUE_WIDTH, ROW_HEIGHT, BAR_HEIGHT, TOP = 960, 400, 90, 24, 16, 40
COLOURS = {"others": "#9aa5b1", "ours": "#2f6f9f"}


def bar_chart(results: Sequence[Result]) -> str:
    """Return the chart of the lines that were measured."""
    shown = [(r, r.rows_per_s) for r in results if r.rows_per_s]
    lowest = 10.0 ** math.floor(math.log10(min((rate for _, rate in shown), default=1)))
    highest = 10.0 ** math.ceil(math.log10(max((rate for _, rate in shown), default=10)))
    scale = (WIDTH - LABEL_WIDTH - VALUE_WIDTH) / max(1.0, math.log10(highest / lowest))

    def place(rate: float) -> float:
        return LABEL_WIDTH + math.log10(rate / lowest) * scale

    height = TOP + ROW_HEIGHT * len(shown) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        'font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{LABEL_WIDTH}" y="16" fill="#333333">rows per second (logarithmic)</text>',
    ]
    power = lowest
    while power <= highest:
        x = place(power)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 6}" y2="{height - 8}" stroke="#dddddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{TOP - 9}" text-anchor="middle" fill="#777777">{power:,.0f}</text>')
        power *= 10
    for number, (result, rate) in enumerate(shown):
        y = TOP + number * ROW_HEIGHT
        end, colour = place(rate), COLOURS[result.line.module]
        text_y, name = y + BAR_HEIGHT - 4, escape(result.line.name)
        parts += [
            f'<text x="{LABEL_WIDTH - 8}" y="{text_y}" text-anchor="end" fill="#333333">{name}</text>',
            f'<rect x="{LABEL_WIDTH}" y="{y}" width="{end - LABEL_WIDTH:.1f}" height="{BAR_HEIGHT}" fill="{colour}"/>',
            f'<text x="{end + 5:.1f}" y="{text_y}" fill="#333333">{rate:,.0f}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"
