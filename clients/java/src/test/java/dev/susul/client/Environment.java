package dev.susul.client;

import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/** The server that `make test-clients` starts; clients/README.md tells the variables. */
final class Environment {
    private Environment() { }

    static void assume() {
        assumeTrue(System.getenv("SUSUL_TEST_SCENARIO") != null, "no server was named: make test-clients starts one");
    }

    static String get(String name) {
        String value = System.getenv("SUSUL_TEST_" + name);
        assertNotNull(value, "SUSUL_TEST_" + name + " is not set");
        return value;
    }
}
