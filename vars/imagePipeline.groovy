import org.imagegate.Pipeline

/** See imagePipeline.txt. */
Map call(Map parameters = [:]) {
    return new Pipeline(this).run(parameters)
}
