// Every rule set that fits a shared library, and of each rule that is off, why.
ruleset {
    ruleset('rulesets/basic.xml')
    ruleset('rulesets/braces.xml')
    ruleset('rulesets/comments.xml') {
        'ClassJavadoc' enabled: true
        'JavadocEmptyFirstLine' enabled: false // one-line documentation starts on its first line
        'SpaceAfterCommentDelimiter' enabled: true
    }
    ruleset('rulesets/concurrency.xml')
    ruleset('rulesets/convention.xml') {
        'CompileStatic' enabled: false // what the CPS transformer runs is dynamic
        'ImplicitClosureParameter' enabled: true
        'ImplicitReturnStatement' enabled: true
        'MethodReturnTypeRequired' enabled: true
        'TrailingComma' enabled: false // lists and maps of one line have none
        'VariableTypeRequired' enabled: true
    }
    ruleset('rulesets/design.xml') {
        'Instanceof' enabled: false // a Jenkinsfile gives values of any class
    }
    ruleset('rulesets/dry.xml') {
        'DuplicateStringLiteral' enabled: false // names of steps and keys read best where they are used
    }
    ruleset('rulesets/exceptions.xml') {
        'CatchException' enabled: false // of a plugin, anything may come
    }
    ruleset('rulesets/formatting.xml') {
        'SpaceAroundMapEntryColon' characterAfterColonRegex: /\s/, characterBeforeColonRegex: /./
        'ClassEndsWithBlankLine' blankLineRequired: false
        'ClassStartsWithBlankLine' blankLineRequired: false
    }
    ruleset('rulesets/generic.xml')
    ruleset('rulesets/groovyism.xml')
    ruleset('rulesets/imports.xml')
    ruleset('rulesets/logging.xml')
    ruleset('rulesets/naming.xml')
    ruleset('rulesets/security.xml') {
        'JavaIoPackageAccess' enabled: false // there is none; its check of names takes steps for it
    }
    ruleset('rulesets/serialization.xml')
    ruleset('rulesets/size.xml')
    ruleset('rulesets/unnecessary.xml') {
        'UnnecessaryGetter' enabled: false // isUnix() is a step
        'UnnecessaryReturnKeyword' enabled: false // the opposite of ImplicitReturnStatement
    }
    ruleset('rulesets/unused.xml')
}
