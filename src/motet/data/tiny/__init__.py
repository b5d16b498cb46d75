"""Generated conversations of the embedded model: problems, working, objections, replies.

What a question is, is in `templates`, `problems`, `sums`, `letters`, `talk`; how it is worked out
in `arithmetic` and `mistakes`; when each voice says it in `score`.
"""
