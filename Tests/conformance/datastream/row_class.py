from pyflink.common import Row
from pyflink.common.types import RowKind
from pyflink.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
row = Row(name="ann", age=3)
print(row, row.name, row["age"], row[0], len(row), list(row), row.as_dict())
plain = Row("a", 1, None)
print(plain, plain[2], list(plain))
Person = Row("name", "age")
print(Person("bob", 5), Person("bob", 5).age, "name" in Person, "x" in Person)
print(row == Row(name="ann", age=3), row == Row("ann", 3), plain == Row("a", 1, None), plain == Row("a", 1))
print(row.get_row_kind(), RowKind.INSERT, RowKind.DELETE.value)
row.set_row_kind(RowKind.UPDATE_AFTER)
print(row.get_row_kind(), row)
plain[1] = 9
print(plain, hash(Row(1, 2)) == hash(Row(1, 2)), tuple(plain))
nested = Row(a=Row(b=1), c=[Row(d=2)])
print(nested, nested.as_dict(True))
try:
    row.missing
except AttributeError:
    print("AttributeError")
