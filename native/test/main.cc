#include "test/harness.h"

int main(int argc, char** argv) { return qgemm::test::run_tests(argc > 1 ? argv[1] : ""); }
