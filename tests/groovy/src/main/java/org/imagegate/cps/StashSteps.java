package org.imagegate.cps;

import static org.imagegate.cps.StepSpec.plain;

import hudson.AbortException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Steps that take files out of the workspace: stash, unstash, archiveArtifacts. */
final class StashSteps {
    private StashSteps() {
    }

    static List<StepSpec> specs() {
        return List.of(
            plain("stash", StashSteps::stash, "name", "includes", "excludes", "allowEmpty", "useDefaultExcludes"),
            plain("unstash", StashSteps::unstash, "name"),
            plain("archiveArtifacts", StashSteps::archive, "artifacts", "allowEmptyArchive", "fingerprint", "excludes",
                "onlyIfSuccessful", "defaultExcludes", "caseSensitive", "followSymlinks"));
    }

    private static Path kept(StepRun run, String kind) {
        return run.build.farm().kept(kind, run.build.info().job(), run.build.info().number());
    }

    private static void stash(StepRun run) throws Exception {
        Path directory = FileSteps.directory(run);
        Path target = kept(run, "stash").resolve(run.text("name"));
        List<Path> files = AntPattern.find(directory, run.text("includes", "**"), run.text("excludes", ""));
        if (files.isEmpty() && !run.flag("allowEmpty", false)) {
            throw new AbortException("No files included in stash ‘" + run.text("name") + "’");
        }
        FileSteps.delete(target);
        Files.createDirectories(target);
        for (Path file : files) {
            FileSteps.copy(directory.resolve(file), target.resolve(file));
        }
        run.log("Stashed " + files.size() + " file(s)");
        run.done(null);
    }

    private static void unstash(StepRun run) throws Exception {
        Path source = kept(run, "stash").resolve(run.text("name"));
        if (!Files.isDirectory(source)) {
            throw new AbortException("No such saved stash ‘" + run.text("name") + "’");
        }
        FileSteps.copyTree(source, FileSteps.directory(run));
        run.done(null);
    }

    private static void archive(StepRun run) throws Exception {
        String pattern = run.text("artifacts");
        Path directory = FileSteps.directory(run);
        run.log("Archiving artifacts");
        List<Path> files = AntPattern.find(directory, pattern, run.text("excludes", ""));
        if (files.isEmpty()) {
            String message = "No artifacts found that match the file pattern \"" + pattern
                + "\". Configuration error?";
            if (!run.flag("allowEmptyArchive", false)) {
                throw new AbortException(message);
            }
            run.log(message);
        }
        for (Path file : files) {
            FileSteps.copy(directory.resolve(file), kept(run, "archive").resolve(file));
            run.build.result().add("archived", file.toString());
        }
        run.done(null);
    }
}
