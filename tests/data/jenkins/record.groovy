// Runs each Jenkinsfile of a directory with steps that only write down what they are given; prints one JSON document.
// Usage: record.groovy DIRECTORY. Written for the tests of `imagegate generate`.
import groovy.json.JsonOutput
import org.codehaus.groovy.control.CompilerConfiguration

abstract class Recorder extends Script {
    final List calls = []

    def invokeMethod(String name, Object arguments) {
        List given = (arguments as Object[]) as List
        calls << [name: name, arguments: given.findAll { !(it instanceof Closure) }.collect { plain(it) }]
        for (each in given) {
            if (each instanceof Closure) {
                inside(each)
            } else if (each instanceof Map) {
                each.values().findAll { it instanceof Closure }.each { inside(it) }
            }
        }
        return null
    }

    void inside(Closure body) {
        body.delegate = this
        body.resolveStrategy = Closure.DELEGATE_FIRST
        body.maximumNumberOfParameters > 0 ? body.call([:]) : body.call()
    }

    def plain(Object value) {
        if (value instanceof Map) {
            return value.findAll { !(it.value instanceof Closure) }.collectEntries { [(it.key): plain(it.value)] }
        }
        if (value instanceof List) {
            return value.collect { plain(it) }
        }
        return value instanceof GString ? [gstring: value.toString()] : value
    }
}

CompilerConfiguration settings = new CompilerConfiguration(scriptBaseClass: 'Recorder', sourceEncoding: 'UTF-8')
Map recorded = [:]
new File(args[0]).listFiles().sort().each { file ->
    Map facts = [currentBuild: [fullDisplayName: 'b', currentResult: 'r', description: 'd'], env: [BUILD_URL: 'u']]
    String text = file.getText('UTF-8').replaceAll(/(?m)^@Library\((.*)\) _$/, 'library($1)')
    try {
        Script script = new GroovyShell(Recorder.classLoader, new Binding(facts), settings).parse(text, 'Jenkinsfile')
        script.run()
        recorded[file.name] = script.calls
    } catch (Exception failed) {
        recorded[file.name] = failed.toString()
    }
}
println JsonOutput.toJson(recorded)
