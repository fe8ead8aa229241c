import org.imagegate.Pipeline

/** See imagePipeline.txt. */
Map call(Object parameters = [:], Object more = null) {
    return new Pipeline(this).run([parameters, more])
}
