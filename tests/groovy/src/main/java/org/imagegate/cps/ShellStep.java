package org.imagegate.cps;

import hudson.AbortException;
import hudson.model.Result;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException;

/** The step {@code sh}: writes the script to a file and runs it. */
final class ShellStep {
    private ShellStep() {
    }

    static StepSpec spec() {
        return StepSpec.plain("sh", ShellStep::start, "script", "returnStatus", "returnStdout", "label", "encoding");
    }

    private static void start(StepRun run) throws Exception {
        String text = run.text("script");
        boolean status = run.flag("returnStatus", false);
        boolean stdout = run.flag("returnStdout", false);
        if (status && stdout) {
            throw new IllegalArgumentException("you may not set both returnStatus and returnStdout");
        }
        Path directory = FileSteps.directory(run);
        Files.createDirectories(directory);
        String name = "durable-" + UUID.randomUUID().toString().substring(0, 8);
        Path control = FileSteps.temporary(directory).resolve(name);
        Files.createDirectories(control);
        ShellProcess process = new ShellProcess(command(run, script(control, text)), directory,
            environment(run), control, Charset.forName(run.text("encoding", "UTF-8")));
        process.start(stdout);
        scheduleAbort(run);
        run.background(() -> {
            int code = process.follow(run::log);
            if (status) {
                return code;
            }
            if (code != 0) {
                throw new AbortException("script returned exit code " + code);
            }
            return stdout ? process.output() : null;
        }, cause -> {
            run.log("Sending interrupt signal to process");
            process.stop(cause);
        });
    }

    private static Path script(Path control, String text) throws IOException {
        Path file = control.resolve("script.sh");
        String content = text.startsWith("#!") ? text : "#!/bin/sh -xe\n" + text;
        Files.writeString(file, content, StandardCharsets.UTF_8);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
        return file;
    }

    private static List<String> command(StepRun run, Path script) throws IOException {
        List<String> command = new ArrayList<>();
        if (run.context.image != null) {
            command.addAll(run.build.scenario().list("dockerInside"));
        }
        if (Files.readString(script).startsWith("#!/bin/sh -xe\n")) {
            command.addAll(List.of("sh", "-xe", script.toString()));
        } else {
            command.add(script.toString());
        }
        return command;
    }

    private static Map<String, String> environment(StepRun run) {
        Map<String, String> environment = run.build.info().environment(run.context);
        if (run.context.image != null && run.build.scenario().list("dockerInside").isEmpty()) {
            environment.put("DOCKER_INSIDE", "1");
        }
        return environment;
    }

    /** Aborts the build after a while, where the scenario says so of this call of the step. */
    private static void scheduleAbort(StepRun run) {
        Map<String, Object> abort = run.build.scenario().map("abort");
        if (!(abort.get("duringSh") instanceof Number call) || call.intValue() != run.build.info().nextShell()) {
            return;
        }
        double seconds = abort.get("afterSeconds") instanceof Number after ? after.doubleValue() : 0;
        run.build.submit(() -> {
            try {
                TimeUnit.MILLISECONDS.sleep((long) (seconds * 1000));
            } catch (InterruptedException ended) {
                return;
            }
            run.build.abort(new FlowInterruptedException(Result.ABORTED, true, "Aborted by user"));
        });
    }
}
