import org.imagegate.Bridge

/** See imagegate.txt. */
Map call(Object parameters = [:], Object more = null) {
    return new Bridge(this).run('imagegate', [parameters, more])
}
