# Who a connection is from, what its handler is told, and what a pump decides.
foreach(subject address_block facts proxy relay)
    baton_unit_test(${subject} SOURCES test_${subject}.c LIBRARIES baton_core)
endforeach()
# The pool's parts: tables, deadlines, state machines, and the lines it is recorded in.
foreach(subject backoff breaker connection pool pool_modes record slots sources timers)
    baton_unit_test(test_${subject} SOURCES test_${subject}.c LIBRARIES baton_core)
endforeach()
