import org.imagegate.Pipeline

/** See imagePipeline.txt. */
Map call(Object parameters = [:]) {
    return new Pipeline(this).run(parameters)
}
