package org.imagegate.cps;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** What was seen on a real controller, one test for each row: shows that the harness can fail as it does. */
public class ControllerRowsTest {
    @Rule
    public final TemporaryFolder folder = new TemporaryFolder();

    private Runs runs() {
        return new Runs(folder.getRoot().toPath());
    }

    private void assertLost(String jenkinsfile, String type) throws Exception {
        Runs runs = runs().with("sandbox", false).run(jenkinsfile).ends("FAILURE");
        assertEquals("java.io.NotSerializableException", runs.errorClass());
        assertTrue(runs.error(), runs.error().contains(type));
        assertTrue("the field path is given: " + runs.error(), runs.error().contains("- field ("));
        runs().with("sandbox", false).with("restart", "never").run(jenkinsfile).ends("SUCCESS");
    }

    @Test
    public void loopOverMapWithStepIsLost() throws Exception {
        assertLost("for (e in [a: 1, b: 2]) { echo e.key }", "java.util.LinkedHashMap");
    }

    @Test
    public void eachOnRangeWithStepIsLost() throws Exception {
        assertLost("(1..3).each { echo \"${it}\" }", "groovy.lang.IntRange");
    }

    @Test
    public void liveMatcherIsLost() throws Exception {
        assertLost("def m = 'a1' =~ /a(.)/\necho 'x'\necho m[0][1]", "java.util.regex.Matcher");
    }

    @Test
    public void lazyMapOfSlurperIsLost() throws Exception {
        assertLost("def m = new groovy.json.JsonSlurper().parseText('{\"a\": 1}')\necho 'x'\necho \"${m.a}\"",
            "groovy.json.internal.LazyMap");
    }

    @Test
    public void shellStepWithSerializableStackSurvivesRestart() throws Exception {
        Runs runs = runs().run("node { def x = [1, 2]; sh 'sleep 0.2; echo slept'; echo \"x is ${x}\" }")
            .ends("SUCCESS");
        assertTrue(runs.logged("slept"));
        assertTrue(runs.logged("x is [1, 2]"));
    }

    @Test
    public void eachAndEntrySetOfMapSurvive() throws Exception {
        Runs runs = runs().run("def m = [a: 1, b: 2]\nm.each { k, v -> echo \"${k}${v}\" }\n"
            + "for (e in m.entrySet()) { echo e.key }\nfor (x in [1, 2]) { echo \"${x}\" }").ends("SUCCESS");
        assertTrue(runs.logged("b2"));
    }

    @Test
    public void sortWithClosureGivesWarningAndWrongResult() throws Exception {
        Runs runs = runs().run("def l = [3, 1, 2]\nl.sort { a, b -> a <=> b }\necho \"list ${l}\"");
        assertTrue(String.join("\n", runs.log()), runs.logged("pipeline-cps-method-mismatches"));
        assertFalse(runs.logged("list [1, 2, 3]"));
    }

    @Test
    public void collectGivesAllElements() throws Exception {
        assertTrue(runs().run("echo \"${[1, 2, 3].collect { it * 2 }}\"").ends("SUCCESS").logged("[2, 4, 6]"));
    }

    @Test
    public void sumWithStartIsRejectedInSandbox() throws Exception {
        Runs runs = runs().run("echo \"${[1, 2].sum(0)}\"").ends("FAILURE");
        String signature = "staticMethod org.codehaus.groovy.runtime.DefaultGroovyMethods sum java.util.Collection"
            + " java.lang.Object";
        assertTrue(runs.error(), runs.error().startsWith("Scripts not permitted to use staticMethod"));
        assertTrue(runs.list("rejected").toString(), runs.list("rejected").contains(signature)
            || runs.list("rejected").contains(signature.replace("java.util.Collection", "java.lang.Iterable")));
        runs().with("sandbox", false).run("echo \"${[1, 2].sum(0)}\"").ends("SUCCESS");
    }

    @Test
    public void declarativeInsideLibraryVariableWorks() throws Exception {
        Runs runs = runs().library("vars/whole.groovy", "def call(Map config) {\n  pipeline {\n    agent any\n"
            + "    stages { stage('s') { steps { echo \"hello ${config.name}\" } } }\n  }\n}\n")
            .run("whole name: 'Ann'").ends("SUCCESS");
        assertTrue(runs.logged("hello Ann"));
    }

    @Test
    public void libraryByAnnotationAndByStepWork() throws Exception {
        for (String load : new String[] {"@Library('imagegate@1') _", "library('imagegate@1')"}) {
            Runs runs = runs().library("vars/hello.groovy", "def call() { echo 'in var' }").run(load + "\nhello()");
            assertTrue(runs.ends("SUCCESS").logged("in var"));
        }
    }

    @Test
    public void junitWithoutClassNameThrows() throws Exception {
        String xml = "<testsuite><testcase name=\"x\"/></testsuite>";
        Runs runs = runs().with("plugins", java.util.List.of("junit"))
            .run("node { writeFile file: 'r.xml', text: '" + xml + "'; junit 'r.xml' }").ends("FAILURE");
        assertEquals("java.lang.NullPointerException", runs.errorClass());
    }
}
