import org.imagegate.Bridge

/** See verifyImage.txt. */
Map call(Object parameters = [:], Object more = null) {
    return new Bridge(this).run('verifyImage', [parameters, more])
}
