# inih, libyaml and cmocka as imported targets Baton::inih, Baton::yaml, Baton::cmocka.

find_package(PkgConfig REQUIRED)
pkg_check_modules(INIH REQUIRED IMPORTED_TARGET inih)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
add_library(Baton::inih ALIAS PkgConfig::INIH)
add_library(Baton::yaml ALIAS PkgConfig::YAML)
if(BATON_TESTS)
    pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
    add_library(Baton::cmocka ALIAS PkgConfig::CMOCKA)
endif()
