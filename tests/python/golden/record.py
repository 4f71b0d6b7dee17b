"""Records what Flink makes of the scenarios: `python record.py`, in an environment that has apache-flink 2.3 (`pip install apache-flink`) and Java 17.

Writes `flink.json` beside itself. Scenarios that Flink refuses are recorded with the error's first line.
"""

import json
import pathlib
import sys
import types

import scenarios


def flink_names():
    """The names that scenarios use, from PyFlink."""
    import pyflink.common
    import pyflink.common.watermark_strategy
    import pyflink.datastream
    import pyflink.datastream.state
    import pyflink.datastream.window

    api = types.SimpleNamespace()
    for module in (pyflink.common, pyflink.common.watermark_strategy, pyflink.datastream, pyflink.datastream.state, pyflink.datastream.window):
        api.__dict__.update({name: value for name, value in vars(module).items() if not name.startswith("_")})
    return api


def root_cause(text):
    """The last "Caused by" of a Java stack, or the message."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith(("at ", "..."))]
    causes = [line for line in lines if line.startswith("Caused by")]
    return (causes or lines)[-1][:300]


def main():
    api = flink_names()
    file = pathlib.Path(__file__).with_name("flink.json")
    results = json.loads(file.read_text()) if file.exists() else {}
    wanted = sys.argv[1:] or list(scenarios.SCENARIOS)
    for name in wanted:
        configuration = api.Configuration()
        configuration.set_integer("python.fn-execution.bundle.size", 1)
        env = api.StreamExecutionEnvironment.get_execution_environment(configuration)
        env.set_parallelism(1)
        try:
            results[name] = scenarios.SCENARIOS[name](api, env)
        except Exception as error:
            results[name] = {"error": root_cause(str(error))}
        print(name, results[name], flush=True)
        file.write_text("{\n" + ",\n".join(f"  {json.dumps(key)}: {json.dumps(results[key])}" for key in sorted(results)) + "\n}\n")


if __name__ == "__main__":
    main()
