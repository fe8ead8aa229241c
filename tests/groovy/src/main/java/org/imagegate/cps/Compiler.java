package org.imagegate.cps;

import com.cloudbees.groovy.cps.CpsTransformer;
import com.cloudbees.groovy.cps.NonCPS;
import com.cloudbees.groovy.cps.TransformerConfiguration;
import groovy.lang.GroovyClassLoader;
import java.util.LinkedHashMap;
import java.util.Map;
import org.codehaus.groovy.control.CompilationUnit;
import org.codehaus.groovy.control.CompilerConfiguration;
import org.codehaus.groovy.control.Phases;
import org.codehaus.groovy.control.customizers.ImportCustomizer;
import org.codehaus.groovy.tools.GroovyClass;
import org.jenkinsci.plugins.workflow.libs.Library;

/**
 * Turns Groovy text into CPS-transformed byte code. The byte code is kept, because each restart has to
 * define the classes anew and compiling is what takes the time.
 */
final class Compiler {
    private Compiler() {
    }

    /**
     * Compiles sources that belong together.
     *
     * @param sources file name (its stem names a script's class) to text
     * @param earlier classes that the sources may use
     * @param sandbox whether the calls in the sources are to be checked
     * @return class name to byte code
     */
    static Map<String, byte[]> compile(Map<String, String> sources, Map<String, byte[]> earlier, boolean sandbox) {
        if (sources.isEmpty()) {
            return Map.of();
        }
        CompilerConfiguration configuration = configuration(sandbox);
        GroovyClassLoader loader = new GroovyClassLoader(new ScriptLoader(earlier), configuration);
        CompilationUnit unit = new CompilationUnit(configuration, null, loader);
        sources.forEach(unit::addSource);
        unit.compile(Phases.CLASS_GENERATION);
        Map<String, byte[]> classes = new LinkedHashMap<>();
        for (Object made : unit.getClasses()) {
            GroovyClass groovyClass = (GroovyClass) made;
            classes.put(groovyClass.getName(), groovyClass.getBytes());
        }
        return classes;
    }

    private static CompilerConfiguration configuration(boolean sandbox) {
        ImportCustomizer imports = new ImportCustomizer();
        imports.addStarImports(NonCPS.class.getPackageName(), "hudson.model");
        imports.addImports(Library.class.getName());
        CpsTransformer transformer = sandbox ? new CheckingTransformer() : new CpsTransformer();
        transformer.setConfiguration(new TransformerConfiguration().withClosureType(PipelineClosure.class));
        CompilerConfiguration configuration = new CompilerConfiguration();
        configuration.setSourceEncoding("UTF-8");
        configuration.setScriptBaseClass(PipelineScript.class.getName());
        configuration.addCompilationCustomizers(imports, transformer);
        return configuration;
    }
}
