"""The job of job.py on Millstream: python with_millstream.py RECORDS."""

from job import run

run("millstream")
