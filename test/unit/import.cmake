baton_unit_test(import SOURCES test_import.c LIBRARIES import_world config_world)
