"""Prints the dialogue lines of demo.ass: dial, hand, flash, loop dots, ball, words."""

import math

CX, CY, R = 300, 270, 190
LOOP = 8  # seconds
K = 0.5523  # control point of a quarter circle


def at(seconds):
    return f"0:00:{seconds:05.2f}"


def circle(r):
    k = r * K
    return (
        f"m {-r} 0 b {-r} {-k:.1f} {-k:.1f} {-r} 0 {-r} b {k:.1f} {-r} {r} {-k:.1f} {r} 0 "
        f"b {r} {k:.1f} {k:.1f} {r} 0 {r} b {-k:.1f} {r} {-r} {k:.1f} {-r} 0"
    )


def line(layer, start, end, style, text):
    print(f"Dialogue: {layer},{at(start)},{at(end)},{style},,0,0,0,,{text}")


def shape(layer, start, end, x, y, colour, path, extra=""):
    line(layer, start, end, "Shape", f"{{\\an7\\pos({x},{y})\\1c&H{colour}&{extra}\\p1}}{path}")


# colours are BGR
INK, PALE, CORAL, TEAL, DIM = "2A1D12", "F7EFE6", "5B6BFF", "C8C43A", "5A4636"

# dial: rim, face, flash on the beep, ticks
shape(1, 0, LOOP, CX, CY, DIM, circle(R))
shape(2, 0, LOOP, CX, CY, INK, circle(R - 6))
for s in range(LOOP):
    shape(3, s, s + 0.1, CX, CY, TEAL if s else CORAL, circle(R - 6))
for i in range(60):
    a = 2 * math.pi * i / 60
    long = i % 5 == 0
    r0, w = (R - 34, 3) if long else (R - 22, 1.4)
    dx, dy = math.sin(a), -math.cos(a)
    px, py = -dy * w, dx * w
    pts = [(dx * r0 + px, dy * r0 + py), (dx * (R - 12) + px, dy * (R - 12) + py),
           (dx * (R - 12) - px, dy * (R - 12) - py), (dx * r0 - px, dy * r0 - py)]
    path = "m " + " l ".join(f"{x:.1f} {y:.1f}" for x, y in pts)
    shape(4, 0, LOOP, CX, CY, PALE if long else DIM, path)
# hand: one turn a second, a beep at twelve
for s in range(LOOP):
    hand = f"m -5 40 l -2 {-(R - 44)} l 2 {-(R - 44)} l 5 40"
    shape(5, s, s + 1, CX, CY, CORAL, hand, f"\\org({CX},{CY})\\t(0,1000,\\frz-360)")
shape(6, 0, LOOP, CX, CY, PALE, circle(13))
# one dot for each second of the loop
for s in range(LOOP):
    x = 560 + s * 46
    shape(4, 0, LOOP, x, 424, DIM, circle(12))
    shape(5, s, LOOP, x, 424, TEAL if s else CORAL, circle(12))
# a ball that crosses the picture in two seconds and comes back: judder is easy to see
for s in range(0, LOOP, 4):
    for a, b, start in ((40, 1240, s), (1240, 40, s + 2)):
        line(7, start, start + 2, "Shape",
             f"{{\\an7\\move({a},506,{b},506)\\1c&H{PALE}&\\p1}}{circle(15)}")
# words
line(4, 0, LOOP, "Word", "{\\pos(540,96)}sidestream")
line(4, 0, LOOP, "Small", "{\\pos(546,204)}720p30  H.264 + AAC   a beep and a flash each second")
