import org.imagegate.Bridge

/** See verifyBaseImages.txt. */
Map call(Object parameters = [:], Object more = null) {
    return new Bridge(this).run('verifyBaseImages', [parameters, more])
}
