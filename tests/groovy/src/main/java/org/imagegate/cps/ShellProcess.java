package org.imagegate.cps;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.Charset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * A process in a group of its own, whose output goes to files that are read while they grow: so what it
 * leaves running in the background does not keep it from ending, as with a controller's agent.
 */
final class ShellProcess {
    private static final long GRACE_SECONDS = 5;

    private final List<String> command;
    private final Path directory;
    private final Map<String, String> environment;
    private final Path output;
    private final Path log;
    private final Charset charset;
    private Process process;
    private volatile Throwable cause;

    ShellProcess(List<String> command, Path directory, Map<String, String> environment, Path control,
                 Charset charset) {
        this.command = command;
        this.directory = directory;
        this.environment = environment;
        this.output = control.resolve("output.txt");
        this.log = control.resolve("jenkins-log.txt");
        this.charset = charset;
    }

    /** Starts it; capture keeps its standard output out of the log. */
    void start(boolean capture) throws IOException {
        List<String> argv = new ArrayList<>(List.of("setsid"));
        argv.addAll(command);
        ProcessBuilder builder = new ProcessBuilder(argv).directory(directory.toFile());
        builder.environment().clear();
        builder.environment().putAll(environment);
        builder.redirectInput(Path.of("/dev/null").toFile());
        if (capture) {
            builder.redirectOutput(output.toFile());
            builder.redirectError(log.toFile());
        } else {
            builder.redirectErrorStream(true);
            builder.redirectOutput(log.toFile());
        }
        process = builder.start();
    }

    /**
     * Waits for its end while each line of its log goes to the sink.
     *
     * @return the exit code; where it was stopped, the reason is thrown instead
     */
    int follow(Consumer<String> sink) throws Exception {
        try (InputStream in = Files.newInputStream(log)) {
            ByteArrayOutputStream line = new ByteArrayOutputStream();
            boolean ended;
            do {
                ended = process.waitFor(10, TimeUnit.MILLISECONDS);
                for (byte next : in.readAllBytes()) {
                    if (next == '\n') {
                        sink.accept(line.toString(charset));
                        line.reset();
                    } else {
                        line.write(next);
                    }
                }
            } while (!ended);
            if (line.size() > 0) {
                sink.accept(line.toString(charset));
            }
        }
        if (cause instanceof Exception stopped) {
            sink.accept("script returned exit code " + process.exitValue());
            throw stopped;
        }
        return process.exitValue();
    }

    /** Gives its standard output; only after its end, and only where it was kept out of the log. */
    String output() throws IOException {
        return new String(Files.readAllBytes(output), charset);
    }

    /** Asks the whole group to end, and ends it by force where it has not after the time of grace. */
    void stop(Throwable why) {
        cause = why;
        signal("TERM");
        Thread force = new Thread(() -> {
            try {
                TimeUnit.SECONDS.sleep(GRACE_SECONDS);
            } catch (InterruptedException ended) {
                return;
            }
            signal("KILL");
        });
        force.setDaemon(true);
        force.start();
    }

    private void signal(String name) {
        try {
            new ProcessBuilder("sh", "-c", "kill -s " + name + " -- -" + process.pid())
                .redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start().waitFor();
        } catch (IOException problem) {
            throw new IllegalStateException("cannot signal the process group", problem);
        } catch (InterruptedException ended) {
            Thread.currentThread().interrupt();
        }
    }
}
