"""Starting: from what happened (a trigger's arrival) to exactly one execution over everything that arrived.

trigger.py      what a trigger is        arrivals.py      what has arrived, and what became of it
reception.py    events → arrivals        choosing.py      which arrivals are due, and which go together
dispatching.py  arrivals → executions    execution.py     the input of an execution
"""
