package org.imagegate.cps;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.util.List;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** What the sandbox permits and refuses, and how it says so. */
public class SandboxTest {
    @Rule
    public final TemporaryFolder folder = new TemporaryFolder();

    private Runs runs() {
        return new Runs(folder.getRoot().toPath());
    }

    private void rejects(String jenkinsfile, String signature) throws Exception {
        Runs runs = runs().run(jenkinsfile).ends("FAILURE");
        assertTrue(runs.error(), runs.error().startsWith("Scripts not permitted to use " + signature));
        assertEquals(List.of(signature), runs.list("rejected"));
        runs().with("whitelist", List.of(runs.file("more.txt", "# more\n" + signature + "\n").toString(),
            java.nio.file.Path.of("whitelist.txt").toAbsolutePath().toString())).run(jenkinsfile).ends("SUCCESS");
    }

    @Test
    public void methodByItsMostGeneralDeclaration() throws Exception {
        rejects("def l = new ArrayList([1])\necho \"${l.toArray()}\"", "method java.util.Collection toArray");
    }

    @Test
    public void staticMethodAndConstructorAndField() throws Exception {
        rejects("echo System.getProperty('user.dir')", "staticMethod java.lang.System getProperty java.lang.String");
        rejects("echo \"${new File('x')}\"", "new java.io.File java.lang.String");
        rejects("echo File.separator", "staticField java.io.File separator");
    }

    @Test
    public void propertyByItsGetter() throws Exception {
        rejects("echo \"${'x'.bytes.length}\"", "method java.lang.String getBytes");
        Runs runs = runs().run("currentBuild.rawBuild").ends("FAILURE");
        assertTrue(runs.error(), runs.error().endsWith(
            "method org.jenkinsci.plugins.workflow.support.steps.build.RunWrapper getRawBuild"));
    }

    @Test
    public void groovyMethodUnderItsOwnName() throws Exception {
        rejects("echo \"${[1, 2].inject(0) { a, b -> a + b }}\"",
            "staticMethod org.codehaus.groovy.runtime.DefaultGroovyMethods inject java.util.Collection "
            + "java.lang.Object groovy.lang.Closure");
    }

    @Test
    public void elementOfEnvIsRefusedAsOnAController() throws Exception {
        rejects("env.FOO = 'x'\necho \"${env['FOO']}\"",
            "staticMethod org.codehaus.groovy.runtime.DefaultGroovyMethods getAt java.lang.Object java.lang.String");
    }

    @Test
    public void libraryIsCheckedToo() throws Exception {
        String signature = "staticMethod java.lang.System getenv java.lang.String";
        Runs runs = runs().library("src/org/x/Y.groovy", "package org.x\nclass Y implements Serializable {\n"
            + "  String a() { System.getenv('PATH') }\n  @com.cloudbees.groovy.cps.NonCPS\n"
            + "  String b() { System.getenv('PATH') } }")
            .run("for (x in ['a', 'b']) { try { new org.x.Y().\"${x}\"() } catch (e) { echo e.message } }")
            .ends("SUCCESS");
        assertEquals(List.of(signature), runs.list("rejected"));
        assertEquals(2, runs.log().stream().filter(line -> line.contains(signature)).count());
    }

    @Test
    public void ownClassesStepsAndUsualGroovyArePermitted() throws Exception {
        runs().library("src/org/x/Box.groovy", "package org.x\nclass Box implements Serializable {\n"
            + "  static final String NAME = 'box'\n  final Map content = [:]\n  int count\n"
            + "  void put(String k, v) { content[k] = v; count++ }\n  static Box of(Map m) { def b = new Box()\n"
            + "    m.each { k, v -> b.put(k, v) }\n    return b }\n}\n"
            + "class Odd extends Exception { Odd(String m) { super(m) } }")
            .run("import org.x.Box\nimport org.x.Odd\ndef b = Box.of([a: 1, b: 'two'])\n"
            + "echo \"${b.count} ${b.content.a} ${Box.NAME} ${b.content['b'].toUpperCase()}\"\n"
            + "try { throw new Odd('odd') } catch (Odd e) { echo \"${e.message} ${e.class.name}\" }\n"
            + "def l = (1..3).collect { it } + [4]\nl << 5\necho l.findAll { it > 2 }.join(',')\n"
            + "def m = [x: [y: 1]]\nm.x.z = 2\nm['q'] = m?.x?.y ?: 0\nif (m.q == 1 && 'a' in ['a']) { echo m.toString() }\n"
            + "env.FOO = 'bar'\necho \"${env.FOO} ${FOO} ${params.containsKey('P')}\"\n"
            + "currentBuild.description = \"d ${currentBuild.number} ${currentBuild.currentResult}\"\n"
            + "def s = 'abc'\ns += 'd'\nint i = 3\ni += 2\necho \"${s[0]} ${s.length()} ${i} ${s.substring(1)} ${s == 'abcd'}\"\n"
            + "def (p, q) = [1, 2]\necho \"${p}${q} ${[1, 2].size()} ${s =~ /b/ ? 'y' : 'n'} ${i > 4} ${!i}\"\n"
            + "switch (s) { case 'abcd': echo 'hit'; break; default: error 'miss' }\n"
            + "def c = { x, y -> x + y }\necho \"${c(1, 2)} ${c.call(1, 3)}\"\necho groovy.json.JsonOutput.toJson([a: 1])")
            .ends("SUCCESS");
    }

    @Test
    public void unknownNamesAreNotRefusals() throws Exception {
        assertEquals("groovy.lang.MissingPropertyException", runs().run("echo nothing").ends("FAILURE").errorClass());
        Runs runs = runs().run("nothing()").ends("FAILURE");
        assertEquals("java.lang.NoSuchMethodError", runs.errorClass());
        assertTrue(runs.error(), runs.error().startsWith("No such DSL method 'nothing' found among steps [archive"));
    }
}
