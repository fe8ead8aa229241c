package org.imagegate.cps;

import static org.imagegate.cps.StepSpec.block;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

/** Steps of plugins that put a body into a container, a pod or a user's context. */
final class ContainerSteps {
    private ContainerSteps() {
    }

    /** Gives the steps of a plugin; none for a plugin that brings none of these. */
    static List<StepSpec> specs(String plugin) {
        return switch (plugin) {
            case "docker-workflow" -> List.of(
                block("withDockerContainer", ContainerSteps::docker, "image", "args", "toolName"),
                block("withDockerRegistry", run -> run.body(run.context), "url", "credentialsId", "toolName"));
            case "kubernetes" -> List.of(
                block("podTemplate", ContainerSteps::pod, "yaml", "label", "name", "cloud", "namespace", "containers",
                    "inheritFrom", "serviceAccount", "volumes", "yamlMergeStrategy", "nodeSelector", "showRawYaml",
                    "workspaceVolume", "imagePullSecrets", "envVars", "slaveConnectTimeout", "idleMinutes",
                    "activeDeadlineSeconds", "nodeUsageMode", "annotations", "podRetention"),
                block("container", ContainerSteps::container, "name", "shell"));
            case "build-user" -> List.of(
                block("withBuildUser", ContainerSteps::user),
                block("wrap", ContainerSteps::user, "delegate"));
            case "ansicolor" -> List.of(block("ansiColor", run -> run.body(run.context), "colorMapName"));
            default -> List.of();
        };
    }

    /** Gives the global variables of a plugin. */
    static Set<String> globals(String plugin) {
        return plugin.equals("docker-workflow") ? Set.of("docker") : Set.of();
    }

    private static void docker(StepRun run) throws Exception {
        FileSteps.directory(run);
        run.body(run.context.withImage(run.text("image")));
    }

    private static void pod(StepRun run) {
        String label = run.text("label", "pod-" + UUID.randomUUID().toString().substring(0, 8));
        run.body(run.context.withEnvironment(Map.of("POD_LABEL", label), false));
    }

    private static void container(StepRun run) throws Exception {
        FileSteps.directory(run);
        run.body(run.context.withEnvironment(Map.of("CONTAINER_NAME", run.text("name")), false));
    }

    private static void user(StepRun run) {
        Object given = run.build.scenario().map("env").get("BUILD_USER_ID");
        String id = given == null ? "tester" : given.toString();
        run.body(run.context.withEnvironment(Map.of("BUILD_USER_ID", id, "BUILD_USER", id), false));
    }
}
