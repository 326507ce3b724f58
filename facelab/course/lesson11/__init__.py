"""What a gallery of a million costs: time, memory, misses, strangers.

- `crowd`: a million people whom nobody photographed
- `machine`: what the arithmetic and the memory of this computer allow
- `cells`: approximate search, written out
- `extremes`: thresholds beyond what was measured
- `codes`: templates in fewer bytes
- `stored`: what takes longer than a lesson
- `pictures`: the lesson's figures
"""
