package org.imagegate.cps;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Runs a scenario file and writes the result file. */
public final class Main {
    private Main() {
    }

    /**
     * Takes the paths of both files. A build that fails is a result like any other; only a scenario that
     * cannot be run at all makes the program fail.
     */
    public static void main(String[] arguments) throws Exception {
        if (arguments.length != 2) {
            System.err.println("usage: Main SCENARIO.json RESULT.json");
            System.exit(2);
        }
        BuildResult result = run(Scenario.read(Path.of(arguments[0])));
        Files.writeString(Path.of(arguments[1]), result.json(), StandardCharsets.UTF_8);
        // Processes that a script has left behind may still hold threads of the harness.
        System.exit(0);
    }

    /** Runs a scenario to its end. */
    static BuildResult run(Scenario scenario) throws Exception {
        // Read once by the JDK's serialisation: makes it say by which fields it came to what cannot be kept.
        System.setProperty("sun.io.serialization.extendedDebugInfo", "true");
        Files.createDirectories(scenario.root());
        return new Build(scenario, new Farm(scenario.root())).run();
    }
}
