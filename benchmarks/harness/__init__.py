"""What the scenarios share: running a program, the peers' environments, facts about the machine, and the report.

The harness imports nothing but the standard library: its own size would otherwise show up in the peak memory of the programs that it starts.
"""
