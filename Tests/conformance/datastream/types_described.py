from pyflink.common import Types
from pyflink.common.typeinfo import TypeInformation
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
for info in (
    Types.STRING(),
    Types.BYTE(),
    Types.BOOLEAN(),
    Types.SHORT(),
    Types.INT(),
    Types.LONG(),
    Types.FLOAT(),
    Types.DOUBLE(),
    Types.CHAR(),
    Types.BIG_INT(),
    Types.BIG_DEC(),
    Types.SQL_DATE(),
    Types.SQL_TIME(),
    Types.SQL_TIMESTAMP(),
    Types.PICKLED_BYTE_ARRAY(),
    Types.TUPLE([Types.STRING(), Types.LONG()]),
    Types.ROW([Types.INT(), Types.DOUBLE()]),
    Types.ROW_NAMED(["a", "b"], [Types.INT(), Types.STRING()]),
    Types.LIST(Types.INT()),
    Types.MAP(Types.STRING(), Types.INT()),
    Types.PRIMITIVE_ARRAY(Types.INT()),
    Types.BASIC_ARRAY(Types.STRING()),
):
    print(isinstance(info, TypeInformation), info)
row = Types.ROW_NAMED(["a", "b"], [Types.INT(), Types.STRING()])
print(row.get_field_names(), row.get_field_types(), row.get_field_index("b"))
print(row == Types.ROW_NAMED(["a", "b"], [Types.INT(), Types.STRING()]), row == Types.ROW_NAMED(["a", "c"], [Types.INT(), Types.STRING()]))
print(Types.ROW([Types.INT()]).get_field_names(), Types.TUPLE([Types.INT()]).get_field_types())
