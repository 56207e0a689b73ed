"""How good a result is: functions of arrays, each checked against another implementation of it."""
