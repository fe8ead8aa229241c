package org.imagegate.cps;

import static org.imagegate.cps.StepSpec.plain;

import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Base64;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jenkinsci.plugins.workflow.steps.MissingContextVariableException;

/** Steps that read and write files of the workspace, and what other steps need for that. */
final class FileSteps {
    private FileSteps() {
    }

    static List<StepSpec> specs() {
        return List.of(
            plain("pwd", FileSteps::pwd, "tmp"),
            plain("writeFile", FileSteps::write, "file", "text", "encoding"),
            plain("readFile", FileSteps::read, "file", "encoding"),
            plain("fileExists", run -> run.done(Files.exists(resolve(run, run.text("file")))), "file"),
            plain("deleteDir", FileSteps::deleteDir),
            plain("checkout", FileSteps::checkout, "scm", "poll", "changelog"));
    }

    /** Gives the current directory of a step; throws outside of a node. */
    static Path directory(StepRun run) throws MissingContextVariableException {
        if (run.context.directory == null) {
            throw new MissingContextVariableException(run.call.name);
        }
        return Path.of(run.context.directory);
    }

    /** Gives the path that a text means in the current directory. */
    static Path resolve(StepRun run, String path) throws MissingContextVariableException {
        return directory(run).resolve(path).normalize();
    }

    /** Gives the directory for temporary files that belongs to a directory: the sibling with @tmp behind its name. */
    static Path temporary(Path directory) {
        return directory.resolveSibling(directory.getFileName() + "@tmp");
    }

    private static void pwd(StepRun run) throws Exception {
        Path directory = directory(run);
        if (run.flag("tmp", false)) {
            directory = temporary(directory);
            Files.createDirectories(directory);
        }
        run.done(directory.toString());
    }

    private static void write(StepRun run) throws Exception {
        Path file = resolve(run, run.text("file"));
        Files.createDirectories(file.getParent());
        String encoding = run.text("encoding", "UTF-8");
        String text = run.text("text");
        Files.write(file, encoding.equals("Base64") ? Base64.getDecoder().decode(text)
            : text.getBytes(Charset.forName(encoding)));
        run.done(null);
    }

    private static void read(StepRun run) throws Exception {
        Path file = resolve(run, run.text("file"));
        if (!Files.isRegularFile(file)) {
            throw new NoSuchFileException(file.toString());
        }
        byte[] bytes = Files.readAllBytes(file);
        String encoding = run.text("encoding", "UTF-8");
        run.done(encoding.equals("Base64") ? Base64.getEncoder().encodeToString(bytes)
            : new String(bytes, Charset.forName(encoding)));
    }

    private static void deleteDir(StepRun run) throws Exception {
        delete(directory(run));
        run.done(null);
    }

    /** Deletes a directory and all in it; links are deleted and not followed. */
    static void delete(Path directory) throws IOException {
        if (!Files.exists(directory)) {
            return;
        }
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }

    private static void checkout(StepRun run) throws Exception {
        Path from = run.build.scenario().scm();
        if (from == null || !(run.get("scm") instanceof Symbol || run.get("scm") instanceof Map)) {
            throw new IllegalStateException("nothing to check out");
        }
        copyTree(from, directory(run));
        run.done(Map.of("GIT_COMMIT", "0000000000000000000000000000000000000000"));
    }

    /** Copies all below one directory into another; permissions and links are kept. */
    static void copyTree(Path from, Path to) throws IOException {
        try (Stream<Path> files = Files.walk(from)) {
            for (Path file : files.toList()) {
                Path target = to.resolve(from.relativize(file).toString());
                if (Files.isDirectory(file)) {
                    Files.createDirectories(target);
                } else {
                    copy(file, target);
                }
            }
        }
    }

    /** Copies a file and makes the directories it needs. */
    static void copy(Path file, Path target) throws IOException {
        Files.createDirectories(target.getParent());
        Files.copy(file, target, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.COPY_ATTRIBUTES,
            java.nio.file.LinkOption.NOFOLLOW_LINKS);
    }
}
