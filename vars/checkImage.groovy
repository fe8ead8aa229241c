import org.imagegate.Bridge

/** See checkImage.txt. */
Map call(Object parameters = [:]) {
    return new Bridge(this).run('checkImage', parameters)
}
