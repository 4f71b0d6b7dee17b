"""A keyed process function with a value state and an event-time timer per record: one text for both engines, which `package` names."""

import json
import sys
import time
from importlib import import_module


def run(package: str) -> None:
    common, datastream = import_module(f"{package}.common"), import_module(f"{package}.datastream")
    state = import_module(f"{package}.datastream.state")
    number_seq = import_module(f"{package}.datastream.connectors.number_seq")
    strategies = import_module(f"{package}.common.watermark_strategy")
    types = common.Types

    class Moment(strategies.TimestampAssigner):
        def extract_timestamp(self, value, record_timestamp):
            return value[1]

    class Count(datastream.KeyedProcessFunction):
        def open(self, runtime_context):
            self.count = runtime_context.get_state(state.ValueStateDescriptor("count", types.LONG()))

        def process_element(self, value, ctx):
            self.count.update((self.count.value() or 0) + 1)
            ctx.timer_service().register_event_time_timer(value[1] + 500)

        def on_timer(self, timestamp, ctx):
            yield ctx.get_current_key(), timestamp

    records = int(sys.argv[1])
    configuration = common.Configuration()
    if len(sys.argv) > 2:
        configuration.set_string("python.execution-mode", sys.argv[2])
    env = datastream.StreamExecutionEnvironment.get_execution_environment(configuration)
    env.set_parallelism(1)
    pair = types.TUPLE([types.LONG(), types.LONG()])
    numbers = env.from_source(
        number_seq.NumberSequenceSource(0, records - 1), common.WatermarkStrategy.no_watermarks(), "numbers", types.LONG()
    )
    results = (
        numbers.map(lambda x: (x % 1000, x), output_type=pair)
        .assign_timestamps_and_watermarks(common.WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(Moment()))
        .key_by(lambda value: value[0], key_type=types.LONG())
        .process(Count(), output_type=pair)
        .filter(lambda value: value[0] == 7)
    )
    begun = time.perf_counter()
    with results.execute_and_collect("keyed process") as iterator:
        found = list(iterator)
    seconds = time.perf_counter() - begun
    print(json.dumps({"seconds": seconds, "count": len(found), "total": sum(value[1] for value in found)}))
