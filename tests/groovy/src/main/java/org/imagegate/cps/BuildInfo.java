package org.imagegate.cps;

import hudson.model.Result;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** Names, numbers, parameters and variables of a build. */
final class BuildInfo {
    private static final String DEFAULT_URL = "http://jenkins.example/";

    private final Scenario scenario;
    private final int number;
    private final long begun = System.currentTimeMillis();
    private final Map<String, Object> parameters;
    private final Map<String, String> variables = new LinkedHashMap<>();
    private String libraryVersion;
    private int shells;
    private final Set<String> reports = new HashSet<>();

    BuildInfo(Scenario scenario, int number) {
        this.scenario = scenario;
        this.number = number;
        this.parameters = scenario.map("params");
    }

    String job() {
        return scenario.jobName();
    }

    int number() {
        return number;
    }

    Map<String, Object> parameters() {
        return parameters;
    }

    /** Counts the calls of sh; gives the number of this one. */
    int nextShell() {
        return ++shells;
    }

    /** Takes the id of a report of issues; tells whether it was free. */
    boolean claimReport(String id) {
        return reports.add(id);
    }

    /** Gives a parameter its default where the build was started without it. */
    void defaultParameter(String name, Object value) {
        parameters.putIfAbsent(name, value);
    }

    synchronized void setVariable(String name, String value) {
        variables.put(name, value);
    }

    void setLibraryVersion(String version) {
        libraryVersion = version;
    }

    /** Gives what other builds may know of this one. */
    BuildFacts facts(BuildResult said) {
        Result result = said.result();
        Object description = said.keys().get("description");
        Object name = said.keys().get("displayName");
        synchronized (this) {
            return new BuildFacts(job(), number, result == null ? null : result.toString(),
                description == null ? null : description.toString(),
                name == null ? "#" + number : name.toString(), url(), new LinkedHashMap<>(variables),
                System.currentTimeMillis() - begun);
        }
    }

    /** Gives all variables of a context: the agent's, the build's, what scripts set, then the blocks'. */
    synchronized Map<String, String> environment(StepContext context) {
        Environment environment = new Environment(Map.of());
        scenario.map("env").forEach((key, value) -> environment.override(key, String.valueOf(value)));
        standard(environment);
        parameters.forEach((key, value) -> environment.override(key, String.valueOf(value)));
        variables.forEach(environment::override);
        if (context.workspace != null) {
            environment.override("NODE_NAME", context.node);
            environment.override("WORKSPACE", context.workspace);
            environment.override("WORKSPACE_TMP", context.workspace + "@tmp");
        }
        if (context.stage != null) {
            environment.override("STAGE_NAME", context.stage);
        }
        return environment.apply(context.layers()).variables();
    }

    private void standard(Environment environment) {
        String job = job();
        environment.override("CI", "true");
        environment.override("JOB_NAME", job);
        environment.override("JOB_BASE_NAME", job.substring(job.lastIndexOf('/') + 1));
        environment.override("BUILD_NUMBER", String.valueOf(number));
        environment.override("BUILD_ID", String.valueOf(number));
        environment.override("BUILD_DISPLAY_NAME", "#" + number);
        environment.override("BUILD_TAG", "jenkins-" + job.replace("/", "-") + "-" + number);
        environment.override("JENKINS_URL", jenkinsUrl());
        environment.override("BUILD_URL", url());
        if (scenario.branchName() != null) {
            environment.override("BRANCH_NAME", scenario.branchName());
        }
        if (libraryVersion != null) {
            environment.override("library." + Sources.LIBRARY + ".version", libraryVersion);
        }
    }

    private String jenkinsUrl() {
        Object given = scenario.map("env").get("JENKINS_URL");
        return given == null ? DEFAULT_URL : given.toString();
    }

    private String url() {
        StringBuilder url = new StringBuilder(jenkinsUrl());
        for (String part : job().split("/")) {
            url.append("job/").append(URLEncoder.encode(part, StandardCharsets.UTF_8).replace("+", "%20")).append('/');
        }
        return url.append(number).append('/').toString();
    }
}
