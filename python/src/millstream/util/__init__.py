"""Small things beside the APIs, by PyFlink's names: exceptions and decorators. What wraps Java objects there is not here."""
