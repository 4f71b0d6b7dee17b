"""Small jobs whose results Flink has given: `record.py` runs them on PyFlink, `../test_against_flink.py` on Millstream.

Each scenario takes the names of either package (`api`) and an environment, and gives JSON values. Only names that both packages have are used.
Time decides nothing in them: Flink's watermarks go by the clock, so what comes too late there differs from run to run, and is not asked here.
"""

def collect(stream):
    with stream.execute_and_collect() as values:
        return [plain(value) for value in values]


def plain(value):
    if isinstance(value, (tuple, list)):
        return [plain(entry) for entry in value]
    if hasattr(value, "as_dict"):
        return [plain(entry) for entry in value]
    return value


WORDS = [("a", 5, 1), ("b", 3, 2), ("a", 2, 3), ("a", 9, 4), ("b", 3, 5), ("a", 2, 6), ("b", 1, 7)]
# (key, time, value): out of order by up to 4 s, with a gap and one that is very late.
EVENTS = [
    ("a", 1_000, 1), ("b", 2_000, 2), ("a", 6_000, 3), ("a", 3_500, 4), ("b", 11_000, 5), ("a", 9_999, 6), ("a", 10_000, 7),
    ("a", 30_000, 8), ("b", 31_000, 9), ("a", 5_000, 10), ("b", 52_000, 11), ("a", 34_000, 12),
]


def words(api, env, declared):
    type_info = api.Types.TUPLE([api.Types.STRING(), api.Types.INT(), api.Types.INT()]) if declared else None
    return env.from_collection(WORDS, type_info)


def events(api, env, delay):
    type_info = api.Types.TUPLE([api.Types.STRING(), api.Types.LONG(), api.Types.LONG()])

    class Assigner(api.TimestampAssigner):
        def extract_timestamp(self, value, record_timestamp):
            return value[1]

    stream = env.from_collection(EVENTS, type_info)
    strategy = api.WatermarkStrategy.for_bounded_out_of_orderness(api.Duration.of_millis(delay)).with_timestamp_assigner(Assigner())
    return stream.assign_timestamps_and_watermarks(strategy)


def rolling(api, env, kind, declared):
    keyed = words(api, env, declared).key_by(lambda word: word[0], api.Types.STRING())
    return collect(getattr(keyed, kind)(1))


def reduce_tuples(api, env):
    return collect(words(api, env, True).key_by(lambda w: w[0]).reduce(lambda x, y: (x[0], x[1] + y[1], max(x[2], y[2]))))


def flat_map_forms(api, env):
    def function(n):
        if n % 3 == 0:
            return []
        if n % 3 == 1:
            return (n, -n)
        return iter([n] * 3)

    return collect(env.from_collection([1, 2, 3, 4]).flat_map(function))


def filter_truth(api, env):
    return collect(env.from_collection([0, 1, 2, 3]).filter(lambda n: n % 2))


class Describe:
    """Makes a ProcessWindowFunction that tells what it sees."""

    @staticmethod
    def of(api):
        class Function(api.ProcessWindowFunction):
            def process(self, key, context, elements):
                window = context.window()
                yield key, window.start, window.end, sorted(element[2] for element in elements)

        return Function()


def tumbling(api, env):
    stream = events(api, env, 60_000).key_by(lambda e: e[0], api.Types.STRING())
    return collect(stream.window(api.TumblingEventTimeWindows.of(api.Time.seconds(10))).process(Describe.of(api)))


def tumbling_offset(api, env):
    stream = events(api, env, 60_000).key_by(lambda e: e[0], api.Types.STRING())
    return collect(stream.window(api.TumblingEventTimeWindows.of(api.Time.seconds(10), api.Time.seconds(-3))).process(Describe.of(api)))


def sliding(api, env):
    stream = events(api, env, 60_000).key_by(lambda e: e[0], api.Types.STRING())
    return collect(stream.window(api.SlidingEventTimeWindows.of(api.Time.seconds(10), api.Time.seconds(5))).process(Describe.of(api)))


def sessions(api, env):
    stream = events(api, env, 60_000).key_by(lambda e: e[0], api.Types.STRING())
    return collect(stream.window(api.EventTimeSessionWindows.with_gap(api.Time.seconds(4))).process(Describe.of(api)))


def count_windows(api, env):
    keyed = words(api, env, True).key_by(lambda w: w[0], api.Types.STRING())
    return collect(keyed.count_window(2).reduce(lambda x, y: (x[0], x[1] + y[1], y[2])))


def sliding_count_windows(api, env):
    keyed = words(api, env, True).key_by(lambda w: w[0], api.Types.STRING())
    return collect(keyed.count_window(3, 2).reduce(lambda x, y: (x[0], x[1] + y[1], y[2])))


def aggregate_with_window_function(api, env):
    class Average(api.AggregateFunction):
        def create_accumulator(self):
            return 0, 0

        def add(self, value, accumulator):
            return accumulator[0] + value[2], accumulator[1] + 1

        def get_result(self, accumulator):
            return accumulator[0] / accumulator[1]

        def merge(self, a, b):
            return a[0] + b[0], a[1] + b[1]

    class WithKey(api.ProcessWindowFunction):
        def process(self, key, context, elements):
            (average,) = list(elements)
            yield key, context.window().end, average

    keyed = events(api, env, 60_000).key_by(lambda e: e[0], api.Types.STRING())
    # No sessions: where they merge, PyFlink 2.3 gives 6.0 for the mean of 1, 3, 4, 6, 7 and 10.
    return collect(keyed.window(api.TumblingEventTimeWindows.of(api.Time.seconds(10))).aggregate(Average(), WithKey()))


def timers(api, env):
    class Function(api.KeyedProcessFunction):
        def process_element(self, value, ctx):
            timers = ctx.timer_service()
            timers.register_event_time_timer(value[1] + 2_000)
            timers.register_event_time_timer(value[1] + 2_000)
            if value[2] == 3:
                timers.delete_event_time_timer(8_000)
                timers.delete_event_time_timer(123)
            yield "element", ctx.get_current_key(), ctx.timestamp()

        def on_timer(self, timestamp, ctx):
            yield "timer", ctx.get_current_key(), timestamp, ctx.timestamp(), ctx.time_domain().name

    return collect(events(api, env, 60_000).key_by(lambda e: e[0], api.Types.STRING()).process(Function()))


def states(api, env):
    class Function(api.KeyedProcessFunction):
        def open(self, context):
            long = api.Types.LONG()
            self.value = context.get_state(api.ValueStateDescriptor("value", long))
            self.list = context.get_list_state(api.ListStateDescriptor("list", long))
            self.map = context.get_map_state(api.MapStateDescriptor("map", api.Types.STRING(), long))
            self.reducing = context.get_reducing_state(api.ReducingStateDescriptor("reducing", lambda x, y: x * 2 + y, long))

            class Mean(api.AggregateFunction):
                def create_accumulator(self):
                    return [0, 0]

                def add(self, value, accumulator):
                    return [accumulator[0] + value, accumulator[1] + 1]

                def get_result(self, accumulator):
                    return accumulator[0] / accumulator[1]

                def merge(self, a, b):
                    return [a[0] + b[0], a[1] + b[1]]

            self.mean = context.get_aggregating_state(api.AggregatingStateDescriptor("mean", Mean(), api.Types.PICKLED_BYTE_ARRAY()))

        def process_element(self, value, ctx):
            number = value[1]
            before = [self.value.value(), list(self.list.get()), sorted(self.map.items()), self.map.is_empty(), self.reducing.get()]
            self.value.update(number)
            self.list.add(number)
            self.map.put(str(number), number)
            self.reducing.add(number)
            self.mean.add(number)
            if number == 9:
                self.value.clear()
                self.list.update([90, 91])
                self.list.add_all([92])
                self.map.remove("5")
                self.map.put("x", 1)
                self.reducing.clear()
            yield before, self.map.contains("2"), self.map.get("none"), self.mean.get()

    return collect(words(api, env, True).key_by(lambda w: w[0], api.Types.STRING()).process(Function()))


def map_with_state(api, env):
    class Count(api.MapFunction):
        def open(self, context):
            self.count = context.get_state(api.ValueStateDescriptor("count", api.Types.INT()))

        def map(self, value):
            count = (self.count.value() or 0) + 1
            self.count.update(count)
            return value[0], count

    return collect(words(api, env, True).key_by(lambda w: w[0], api.Types.STRING()).map(Count()))


def side_outputs(api, env):
    tag = api.OutputTag("odd", api.Types.LONG())

    class Function(api.ProcessFunction):
        def process_element(self, value, ctx):
            if value % 2:
                yield tag, value
            else:
                yield value

    main = env.from_collection([1, 2, 3, 4, 5], api.Types.LONG()).process(Function(), api.Types.LONG())
    both = main.map(lambda n: ("even", n)).union(main.get_side_output(tag).map(lambda n: ("odd", n)))
    return sorted(collect(both))


def row_values(api, env):
    rows = env.from_collection([(1, "x"), (2, None)], api.Types.ROW_NAMED(["id", "name"], [api.Types.INT(), api.Types.STRING()]))
    return collect(rows.map(lambda row: (row["id"], row[1], len(row))))


SCENARIOS = {
    **{f"rolling {kind}, {'declared' if declared else 'undeclared'}": (lambda api, env, kind=kind, declared=declared: rolling(api, env, kind, declared))
       for kind in ("sum", "min", "max", "min_by", "max_by") for declared in (True, False)},
    "reduce tuples": reduce_tuples,
    "flat_map forms": flat_map_forms,
    "filter truth": filter_truth,
    "tumbling": tumbling,
    "tumbling offset": tumbling_offset,
    "sliding": sliding,
    "sessions": sessions,
    "count windows": count_windows,
    "sliding count windows": sliding_count_windows,
    "aggregate with window function": aggregate_with_window_function,
    "timers": timers,
    "states": states,
    "map with state": map_with_state,
    "side outputs": side_outputs,
    "row values": row_values,
}

# Flink says nothing about the order of results of different keys that become due together.
ORDER_IS_OPEN = {"tumbling", "tumbling offset", "sliding", "sessions", "aggregate with window function"}
