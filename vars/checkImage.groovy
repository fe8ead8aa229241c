import org.imagegate.Bridge

/** See checkImage.txt. */
Map call(Object parameters = [:], Object more = null) {
    return new Bridge(this).run('checkImage', [parameters, more])
}
