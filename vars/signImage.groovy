import org.imagegate.Bridge

/** See signImage.txt. */
Map call(Object parameters = [:], Object more = null) {
    return new Bridge(this).run('signImage', [parameters, more])
}
