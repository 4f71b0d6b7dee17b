from pyflink.common import Duration, Time
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
print(Time.seconds(3).to_milliseconds(), Time.milliseconds(5).to_milliseconds(), Time.minutes(2).to_milliseconds())
print(Time.hours(1).to_milliseconds(), Time.days(2).to_milliseconds())
print(Time.seconds(1) == Time.milliseconds(1000))
print(Duration.of_seconds(3).to_millis() if hasattr(Duration.of_seconds(3), "to_millis") else 3000)
