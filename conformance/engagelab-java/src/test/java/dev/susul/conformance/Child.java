package dev.susul.conformance;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/** A process of the binary, whose log goes to a file. */
final class Child {
    private final Process process;
    private final Path log;

    Child(Path directory, String name, List<String> arguments) throws IOException {
        log = directory.resolve(name + ".log");
        ProcessBuilder builder = new ProcessBuilder(System.getProperty("susul.binary"), name);
        builder.command().addAll(arguments);
        builder.environment().keySet().removeIf(variable -> variable.startsWith("SUSUL_"));
        builder.redirectErrorStream(true).redirectOutput(log.toFile());
        process = builder.start();
        Runtime.getRuntime().addShutdownHook(new Thread(process::destroyForcibly)); // whatever becomes of the tests
    }

    /** Waits for a line of the log and returns the pattern's first group. */
    String await(String pattern) {
        Pattern line = Pattern.compile(pattern);
        return Eventually.get(() -> {
            String text = Files.readString(log);
            if (!process.isAlive()) {
                throw new IllegalStateException("the process ended with " + process.exitValue() + ":\n" + text);
            }
            return line.matcher(text).results().findFirst().map((MatchResult found) -> found.group(1)).orElse(null);
        });
    }

    /** Asks the process to stop, and returns its exit code. */
    int stop() throws InterruptedException {
        process.destroy();
        if (!process.waitFor(30, TimeUnit.SECONDS)) {
            process.destroyForcibly();
            throw new IllegalStateException("the process did not stop; see " + log);
        }
        return process.exitValue();
    }
}
