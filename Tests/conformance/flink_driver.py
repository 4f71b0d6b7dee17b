"""Runs PyFlink scripts one after the other in one process with one JVM, and tells what each printed. `record.py` starts it, in an interpreter that has apache-flink.

    python flink_driver.py ANSWERS SCRIPT...

ANSWERS gets a line of JSON per script: {"name", "output", "error", "seconds"}.
"""

import gc
import json
import os
import pathlib
import runpy
import sys
import tempfile
import time
import traceback


def main():
    with open(sys.argv[1], "a", buffering=1) as answers, tempfile.NamedTemporaryFile("w+b", prefix="flink-output-") as output:
        # Print sinks write in the JVM, which has file descriptor 1 from here; so one file, opened for appending, takes what both print, in its order.
        appended = os.open(output.name, os.O_WRONLY | os.O_APPEND)
        sys.stdout.flush()
        os.dup2(appended, 1)
        sys.stdout.reconfigure(line_buffering=True)
        for script in map(pathlib.Path, sys.argv[2:]):
            os.truncate(output.name, 0)
            started = time.monotonic()
            sys.argv = [str(script)]
            sys.path.insert(0, str(script.parent))
            os.chdir(tempfile.mkdtemp(prefix="flink-script-"))
            error = None
            try:
                runpy.run_path(str(script), run_name="__main__")
            except SystemExit as exit_:
                error = f"SystemExit: {exit_.code}" if exit_.code else None
            except BaseException:
                error = traceback.format_exc()
            sys.path.remove(str(script.parent))
            sys.stdout.flush()
            gc.collect()
            text = pathlib.Path(output.name).read_text(errors="replace")
            found = {"name": script.stem, "output": text, "error": error, "seconds": round(time.monotonic() - started, 1)}
            answers.write(json.dumps(found) + "\n")
    # Flink's own threads would keep the process.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
