import org.imagegate.cps.DeclarativeRunner

/** The global variable {@code pipeline}: runs a Declarative pipeline. */
def call(Closure body) {
    new DeclarativeRunner(this).pipeline(body)
}
