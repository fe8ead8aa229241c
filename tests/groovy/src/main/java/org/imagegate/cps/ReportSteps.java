package org.imagegate.cps;

import static org.imagegate.cps.StepSpec.plain;

import hudson.AbortException;
import hudson.model.Result;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Steps of the plugins that show reports. */
final class ReportSteps {
    private static final Set<String> TOOLS = Set.of("issues", "sarif", "trivy", "grype", "java", "checkStyle",
        "groovyScript", "sonarQube");

    private ReportSteps() {
    }

    /** Gives the steps of a plugin; none for a plugin that brings none of these. */
    static List<StepSpec> specs(String plugin) {
        return switch (plugin) {
            case "junit" -> List.of(plain("junit", ReportSteps::junit, "testResults", "allowEmptyResults",
                "keepLongStdio", "skipPublishingChecks", "skipMarkingBuildUnstable", "checksName",
                "healthScaleFactor", "testDataPublishers", "keepTestNames", "skipOldReports"));
            case "warnings-ng" -> List.of(plain("recordIssues", ReportSteps::issues, "tools", "tool", "id", "name",
                "qualityGates", "enabledForFailure", "aggregatingResults", "skipPublishingChecks", "skipBlames",
                "sourceCodeEncoding", "sourceDirectory", "sourceDirectories", "filters", "trendChartType",
                "healthy", "unhealthy", "minimumSeverity", "failOnError", "icon", "quiet", "publishAllIssues"));
            // Its name hides the symbol of the binding of credentials, for a controller looks for steps first.
            case "pipeline-utility-steps" -> List.of(plain("zip", run -> run.fail(new IllegalArgumentException(
                "Can not be empty: zipFile")), "zipFile", "dir", "glob", "archive", "overwrite", "exclude"));
            case "htmlpublisher" -> List.of(plain("publishHTML", ReportSteps::html, "target"));
            case "badge" -> List.of(badge("addBadge"), badge("addShortText"), badge("addInfoBadge"),
                badge("addWarningBadge"), badge("addErrorBadge"), badge("addSummary"), badge("createSummary"));
            default -> List.of();
        };
    }

    /** Gives the symbols of a plugin. */
    static Set<String> symbols(String plugin) {
        return plugin.equals("warnings-ng") ? TOOLS : Set.of();
    }

    private static void junit(StepRun run) throws Exception {
        Path directory = FileSteps.directory(run);
        run.log("Recording test results");
        List<Path> files = AntPattern.find(directory, run.text("testResults"), "");
        if (files.isEmpty() && !run.flag("allowEmptyResults", false)) {
            throw new AbortException("No test report files were found. Configuration error?");
        }
        TestCounts counts = new TestCounts();
        for (Path file : files) {
            counts.read(directory.resolve(file));
            run.build.result().add("junit", file.toString());
        }
        if (counts.getFailCount() > 0 && !run.flag("skipMarkingBuildUnstable", false)) {
            run.build.result().worsen(Result.UNSTABLE);
        }
        run.done(counts);
    }

    private static void issues(StepRun run) throws Exception {
        Path directory = FileSteps.directory(run);
        List<Object> tools = new ArrayList<>();
        if (run.get("tools") instanceof List<?> list) {
            tools.addAll(list);
        }
        if (run.get("tool") != null) {
            tools.add(run.get("tool"));
        }
        for (Object element : tools) {
            Symbol tool = Symbol.from(element);
            String id = run.text("id", tool.text("id") == null ? tool.name : tool.text("id"));
            if (!run.build.info().claimReport(id)) {
                throw new IllegalStateException("ID " + id + " is already used by another action: " + tool);
            }
            String pattern = tool.text("pattern");
            if (pattern != null && AntPattern.find(directory, pattern, "").isEmpty()) {
                run.log("[" + id + "] [-ERROR-] No files found for pattern '" + pattern + "'. Configuration error?");
            }
        }
        Map<String, Object> arguments = new LinkedHashMap<>();
        run.call.arguments.forEach((key, value) -> arguments.put(key, BuildResult.plain(run.context, value)));
        run.build.result().add("issues", arguments);
        run.done(null);
    }

    private static void html(StepRun run) throws Exception {
        Map<?, ?> target = run.get("target") instanceof Map<?, ?> map ? map : Symbol.from(run.get("target")).arguments;
        Path directory = FileSteps.resolve(run, String.valueOf(target.get("reportDir")));
        boolean allowMissing = Boolean.parseBoolean(String.valueOf(target.get("allowMissing")));
        run.log("[htmlpublisher] Archiving HTML reports...");
        if (!Files.isDirectory(directory) && !allowMissing) {
            run.log("Specified HTML directory '" + directory + "' does not exist.");
            run.build.result().worsen(Result.FAILURE);
        }
        run.build.result().add("published", BuildResult.plain(run.context, target));
        run.done(null);
    }

    private static StepSpec badge(String name) {
        return plain(name, run -> {
            Map<String, Object> badge = new LinkedHashMap<>(Map.of("step", name));
            run.call.arguments.forEach((key, value) -> badge.put(key, BuildResult.plain(run.context, value)));
            run.build.result().add("badges", badge);
            run.done(null);
        }, "text", "icon", "link", "id", "color", "background", "border", "borderColor", "cssClass", "style",
            "target");
    }
}
