"""The job of job.py on PyFlink: python with_pyflink.py RECORDS process|thread."""

from job import run

run("pyflink")
