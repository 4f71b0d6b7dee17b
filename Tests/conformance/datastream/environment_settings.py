from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
print(env.get_parallelism(), env.set_parallelism(4).get_parallelism())
print(env.set_max_parallelism(64).get_max_parallelism())
print(env.set_buffer_timeout(50).get_buffer_timeout())
print(env.is_chaining_enabled(), env.disable_operator_chaining().is_chaining_enabled())
config = env.get_config()
print(config.set_auto_watermark_interval(123).get_auto_watermark_interval())
print(config.enable_object_reuse().is_object_reuse_enabled(), config.disable_object_reuse().is_object_reuse_enabled())
configuration = Configuration()
configuration.set_string("a.key", "text").set_integer("an.int", 5).set_boolean("a.flag", True).set_float("a.float", 1.5)
print(configuration.get_string("a.key", "-"), configuration.get_integer("an.int", 0), configuration.get_boolean("a.flag", False))
print(configuration.contains_key("no.key"), configuration.get_string("no.key", "default"), sorted(configuration.key_set()))
print(configuration.remove_config("a.key"), configuration.contains_key("a.key"), sorted(configuration.to_dict().items()))
